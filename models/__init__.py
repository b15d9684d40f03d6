"""The tables. Importing the package makes `Base.metadata` whole."""

from models import (  # noqa: F401
    activity,
    banking,
    billing,
    catalog,
    contracts,
    conversations,
    crm,
    engagements,
    files,
    identity,
    jobs,
    online_payments,
    payments,
    portal,
    projects,
    sales,
    webhooks,
)
