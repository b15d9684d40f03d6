"""The five operations that most resources have, made from what differs between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from flask import request
from marshmallow import Schema, ValidationError, fields, pre_load, validate
from webargs.fields import DelimitedList

from models.db.base import Versioned
from models.db.tenancy import current_principal
from webapp.api.framework.operations import ApiBlueprint
from webapp.auth.permissions import demand
from webapp.http.responses import ApiResponse
from webapp.schemas.common import Input, Output, PlainText, Related
from webapp.services.common.exceptions import DomainError
from webapp.services.common.reads import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest, RecordQuery

Path = Callable[..., Any]
Rows = list[dict[str, Any]]  # named here: inside Resource, `list` is the operation
Errors = tuple[type[DomainError], ...]

_NO_QUERY: Mapping[str, Any] = {}


class Links(Output):
    self = fields.String(required=True)
    next = fields.String(allow_none=True, required=True)
    prev = fields.String(allow_none=True, required=True)


class Meta(Output):
    limit = fields.Integer(required=True)
    total = fields.Integer()


def list_query(
    name: str,
    filters: Mapping[str, fields.Field[Any]],
    *,
    expand: tuple[str, ...] = (),
    sorts: tuple[str, ...] = ("created_at",),
    deleted: bool = False,
    custom_fields: bool = False,
) -> type[Schema]:
    """The query of a list: paging, sorting, counting, and the resource's filters.

    Of `sorts` the first is the one it has by itself, the newest first.
    """
    both_ways = [f"{sign}{name}" for name in sorts for sign in ("", "-")]
    in_order: validate.Validator = validate.OneOf(both_ways)
    if custom_fields:
        ways = "|".join(map(re.escape, both_ways))
        in_order = validate.Regexp(
            rf"^(?:{ways}|-?custom_fields\[[a-z][a-z0-9_]*\])$(?!\n)",
            error=f"Must be one of: {', '.join(both_ways)}, or custom_fields[key].",
        )
    members: dict[str, Any] = {
        "limit": fields.Integer(load_default=DEFAULT_LIMIT, validate=validate.Range(1, MAX_LIMIT)),
        "cursor": PlainText(validate=validate.Length(1, 512)),
        "sort": PlainText(load_default=f"-{sorts[0]}", validate=in_order),
        "include": PlainText(validate=validate.OneOf(["total"])),
        **filters,
    }
    if expand:
        members["expand"] = expand_field(expand)
    if deleted:
        members["deleted"] = fields.Boolean(load_default=False)
    if custom_fields:
        members["custom_fields"] = fields.Dict(
            keys=PlainText(validate=validate.Length(1, 64 + len("[gte]"))),
            values=PlainText(validate=validate.Length(1, 255)),
        )
    return ListQuery.from_dict(members, name=f"{name}Query")


class ListQuery(Input):
    """The query of a list; `custom_fields[key]=value` asks for a value of a custom field, and
    `custom_fields[key][gte]` and `[lte]` for a range."""

    @pre_load
    def collect(self, data: Any, **_: Any) -> dict[str, Any]:
        """What stands in brackets becomes the keys of one field."""
        given: dict[str, Any] = {}
        for name in data:
            found = _IN_BRACKETS.fullmatch(name) if "custom_fields" in self.fields else None
            if found is None:
                given[name] = data[name]
            else:
                key = found[1] + (found[2] or "")
                given.setdefault("custom_fields", {})[key] = data[name]
        return given


_IN_BRACKETS = re.compile(r"custom_fields\[([^\[\]]*)\](\[(?:gte|lte)\])?", re.DOTALL)


def expand_field(names: tuple[str, ...]) -> fields.Field[Any]:
    return DelimitedList(PlainText(validate=validate.OneOf(names)), load_default=list)


def retrieve_query(name: str, expand: tuple[str, ...]) -> type[Schema]:
    return Input.from_dict({"expand": expand_field(expand)}, name=f"{name}RetrieveQuery")


def list_schema(name: str, out: type[Schema]) -> type[Schema]:
    """The body of a list of `out`."""
    members = {
        "data": fields.List(fields.Nested(out), required=True),
        "links": fields.Nested(Links, required=True),
        "meta": fields.Nested(Meta, required=True),
    }
    return Output.from_dict(members, name=f"{name}List")


def page_request(query: Mapping[str, Any]) -> PageRequest:
    """The page a checked list query asks for."""
    paging = ("limit", "cursor", "sort", "include", "expand", "deleted")
    return PageRequest(
        filters={name: value for name, value in query.items() if name not in paging},
        sort=query["sort"],
        cursor=query.get("cursor"),
        limit=query["limit"],
        total=query.get("include") == "total",
        deleted=query.get("deleted", False),
    )


def list_answer(page: Page) -> dict[str, Any]:
    """A page as the body of a list, with the links to its neighbours."""

    def link(cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return f"{request.path}?{urlencode({**request.args, 'cursor': cursor})}"

    here = f"{request.path}?{urlencode(request.args)}" if request.args else request.path
    meta = {"limit": page.limit} | ({} if page.total is None else {"total": page.total})
    return {
        "data": page.rows,
        "links": {"self": here, "next": link(page.next), "prev": link(page.prev)},
        "meta": meta,
    }


class Resource:
    """A resource's operations: `records` and `out` say how it is read, services how it changes.

    `singular` names the operations and the path's id: `/<uuid:company_id>`. `trash` lets the
    list show what was trashed. `home` is where a new one is found, if not below its list.
    """

    def __init__(
        self,
        blueprint: ApiBlueprint,
        singular: str,
        *,
        records: RecordQuery,
        out: type[Schema],
        filters: Mapping[str, fields.Field[Any]] | None = None,
        rule: str = "",
        trash: bool = False,
        home: str = "",
    ) -> None:
        self.home = home
        self.blueprint = blueprint
        self.singular = singular
        self.records = records
        self.out = out
        self.schema = out()
        # What the query can expand, `out` declares as Related, which knows the whole schema.
        self.expand = {
            name: cast(Related, out._declared_fields[name]).whole() for name in records.expandable
        }
        self.filters = dict(filters or {})
        self.rule = rule
        self.trash = trash
        self.has_etag = issubclass(records.model, Versioned)
        self.id_name = f"{singular}_id"
        self.one_rule = f"{rule}/<uuid:{self.id_name}>"
        self.pascal = "".join(part.capitalize() for part in singular.split("_"))

    def list(
        self, summary: str, *, prepare: Path | None = None, permission: str | None = None
    ) -> None:
        """GET the list. `prepare` gets the path's ids and refuses a parent that is not there.

        It is asked only when nothing was found: what is there has a parent. `permission`, here and
        below, is what it takes, if not the domain's.
        """
        query = list_query(
            self.pascal,
            self.filters,
            expand=tuple(self.expand),
            sorts=(self.records.order, *self.records.sorts),
            deleted=self.trash,
            custom_fields=self.records.custom_fields is not None,
        )

        def listed(query: Mapping[str, Any], **path: UUID) -> ApiResponse:
            page = self.records.page(page_request(query), **path)
            if not page.rows and prepare is not None:
                prepare(**path)
            self._expand(page.rows, query)
            body = list_answer(page)
            body["data"] = self._dump_many(body["data"], query)
            return ApiResponse(200, body)

        plural = self.blueprint.name
        self._register("GET", self.rule, listed, f"list_{plural}", summary, "read",
                       query=query, out=list_schema(self.pascal, self.out),
                       permission=permission)  # fmt: skip

    def retrieve(self, summary: str, *, permission: str | None = None) -> None:
        """GET one."""
        query = retrieve_query(self.pascal, tuple(self.expand)) if self.expand else None

        def retrieved(query: Mapping[str, Any] | None = None, **path: UUID) -> ApiResponse:
            return self.answer(path, query=query or {})

        self._register("GET", self.one_rule, retrieved, f"get_{self.singular}", summary, "read",
                       query=query, out=self.out, has_etag=self.has_etag,
                       permission=permission)  # fmt: skip

    def create(
        self, summary: str, schema: type[Schema], service: Path, *, errors: Errors = ()
    ) -> None:
        """POST a new one. The service gets the checked body and the path's ids.

        It returns the row as the query reads it, or the record, which is then read. `errors`, here
        and below, are what the service raises beyond the usual (`ApiBlueprint.operation`).
        """

        def created(body: dict[str, Any], **path: UUID) -> ApiResponse:
            made = service(body, **path)
            if isinstance(made, dict):
                answer = ApiResponse(
                    201, self.schema.dump(made), row_version=made.get("row_version")
                )
                made_id = made["id"]
            else:
                made_id = made.id
                answer = self.answer({**path, self.id_name: made_id}, status=201)
            answer.headers["Location"] = f"{self.home or request.path}/{made_id}"
            return answer

        self._register("POST", self.rule, created, f"create_{self.singular}", summary, "write",
                       body=schema, out=self.out, status=201, has_etag=self.has_etag,
                       errors=errors)  # fmt: skip

    def update(
        self, summary: str, schema: type[Schema], service: Path, *, errors: Errors = ()
    ) -> None:
        """PUT changes to some fields; the service gets id, changes and expected row version."""

        def updated(
            body: dict[str, Any], *, expected_row_version: int | None, **path: UUID
        ) -> ApiResponse:
            if not body:
                raise ValidationError("Name at least one field to change.")
            service(body, expected_row_version=expected_row_version, **path)
            return self.answer(path)

        self._register("PUT", self.one_rule, updated, f"update_{self.singular}", summary, "write",
                       body=schema, out=self.out, if_match=True, has_etag=self.has_etag,
                       errors=errors)  # fmt: skip

    def delete(self, summary: str, service: Path, *, errors: Errors = ()) -> None:
        """DELETE: 204."""

        def deleted(*, expected_row_version: int | None, **path: UUID) -> ApiResponse:
            service(expected_row_version=expected_row_version, **path)
            return ApiResponse(204)

        self._register("DELETE", self.one_rule, deleted, f"delete_{self.singular}", summary,
                       "write", status=204, if_match=True, errors=errors)  # fmt: skip

    def action(
        self,
        verb: str,
        summary: str,
        service: Path,
        *,
        body: type[Schema] | None = None,
        body_required: bool = False,
        permission: str | None = None,
        records: RecordQuery | None = None,
        errors: Errors = (),
    ) -> None:
        """POST …/<verb>: the service gets the checked body (if any), id and expected version.

        `records` is the query that still finds the record when this action takes it off the list.
        """

        def acted(
            body: dict[str, Any] | None = None, *, expected_row_version: int | None, **path: UUID
        ) -> ApiResponse:
            given = {} if body is None else {"values": body}
            service(expected_row_version=expected_row_version, **given, **path)
            return self.answer(path, records=records)

        name = f"{verb.replace('-', '_')}_{self.singular}"
        self._register("POST", f"{self.one_rule}/{verb}", acted, name,
                       summary, "write", body=body, body_required=body_required, out=self.out,
                       permission=permission, if_match=True, has_etag=self.has_etag,
                       errors=errors)  # fmt: skip

    def answer(
        self,
        path: Mapping[str, UUID],
        *,
        status: int = 200,
        query: Mapping[str, Any] = _NO_QUERY,
        records: RecordQuery | None = None,
    ) -> ApiResponse:
        """The record named by the path, as it is now."""
        within = {name: value for name, value in path.items() if name != self.id_name}
        row = (records or self.records).get(path[self.id_name], **within)
        self._expand([row], query)
        [data] = self._dump_many([row], query)
        return ApiResponse(status, data, row_version=row.get("row_version"))

    def _register(
        self, method: str, rule: str, function: Path, name: str, summary: str, right: str,
        *, permission: str | None = None, **options: Any,
    ) -> None:  # fmt: skip
        function.__name__ = name
        function.__doc__ = summary
        permission = permission or f"{self.records.domain}:{right}"
        self.blueprint.operation(method, rule, permission=permission, **options)(function)

    def _expand(self, rows: Rows, query: Mapping[str, Any]) -> None:
        """Put whole related records where the rows have brief ones: one statement for each name.

        Raises Forbidden when the caller may not read records of that kind as such.
        """
        for name in query.get("expand", ()):
            column, records = self.records.expandable[name]
            demand(current_principal(), f"{records.domain}:read")
            found = records.by_ids(sorted({row[column] for row in rows if row[column]}))
            for row in rows:
                row[name] = found.get(row[column])

    def _dump_many(self, rows: Rows, query: Mapping[str, Any]) -> Rows:
        dumped: Rows = self.schema.dump(rows, many=True)
        for name in query.get("expand", ()):
            whole = self.expand[name]
            for data, row in zip(dumped, rows, strict=True):
                data[name] = None if row[name] is None else whole.dump(row[name])
        return dumped
