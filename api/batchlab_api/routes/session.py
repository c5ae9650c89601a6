"""Logging in: the dashboard exchanges the token for a cookie. These endpoints are open."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from batchlab_api.bodies import body_of, no_foreign_body
from batchlab_api.lab import LabDep
from batchlab_api.openapi import body
from batchlab_api.requests import Login
from batchlab_api.security import COOKIE, address_of, same_site, set_cookie

router = APIRouter(tags=["session"], dependencies=[Depends(same_site)])


@router.post("/login", status_code=204, openapi_extra=body(Login))
def log_in(request: Request, lab: LabDep, login: Annotated[Login, Depends(body_of(Login))]) -> Response:
    """Exchange the token for a cookie of this browser; 401 where it is wrong."""
    lab.gate.check_token(login.token, address_of(request))
    response = Response(status_code=204)
    set_cookie(request, response, lab.gate.cookie())
    return response


@router.delete("/login", status_code=204, dependencies=[Depends(no_foreign_body)])
def log_out() -> Response:
    """Forget the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response
