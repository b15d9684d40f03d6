from django.urls import path

from benchmarks.peers.drf.views import Engagements, OneEngagement

urlpatterns = [
    path("engagements", Engagements.as_view()),
    path("engagements/<uuid:id>", OneEngagement.as_view()),
]
