"""One read is one query with joins, and two more for the projects and their conversations."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Prefetch, QuerySet
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from benchmarks.peers.drf.models import Conversation, Engagement, Project
from benchmarks.peers.drf.serializers import (
    EngagementInSerializer,
    EngagementListedSerializer,
    EngagementSerializer,
)

ORGANIZATION = UUID(os.environ["ORGANIZATION_ID"])


def engagements() -> QuerySet[Engagement]:
    return Engagement.objects.filter(organization_id=ORGANIZATION, deleted_at=None).select_related(
        "client_company", "contact"
    )


class NewestFirst(CursorPagination):
    page_size = 20
    max_page_size = 100
    page_size_query_param = "limit"
    ordering = ("-created_at", "-id")

    def get_paginated_response(self, data: Any) -> Response:
        links = {"self": self.base_url, "next": self.get_next_link()}
        links["prev"] = self.get_previous_link()
        return Response({"data": data, "links": links, "meta": {"limit": self.page_size}})


class Engagements(generics.ListAPIView):
    serializer_class = EngagementListedSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Engagement]:
        return engagements()

    def post(self, request: Request) -> Response:
        given = EngagementInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            made = given.save(organization_id=ORGANIZATION)
        except IntegrityError as error:
            raise ValidationError("A reference leads nowhere.") from error
        # A new one has neither projects nor conversations, so these are not asked for.
        data = EngagementListedSerializer(engagements().get(id=made.id)).data
        return Response(
            {**data, "projects": [], "conversations": []},
            status=status.HTTP_201_CREATED,
            headers={"Location": f"{request.path}/{made.id}"},
        )


class OneEngagement(generics.RetrieveAPIView):
    serializer_class = EngagementSerializer
    lookup_field = "id"

    def get_queryset(self) -> QuerySet[Engagement]:
        alive = {"organization_id": ORGANIZATION, "deleted_at": None}
        return engagements().prefetch_related(
            Prefetch("projects", Project.objects.filter(**alive).order_by("id")),
            Prefetch(
                "projects__conversations", Conversation.objects.filter(**alive).order_by("id")
            ),
        )
