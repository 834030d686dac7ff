"""The HTTP application: REST, WebSockets and the control API on one port."""

from aiohttp import web

from simulator import control
from simulator.exchange import Exchange
from simulator.rest import account, catalog, guard, margin, public
from simulator.rest.gateway import Desk, route
from simulator.streams.connection import StreamSettings
from simulator.streams.public import PublicStreams
from simulator.streams.user import UserStreams
from simulator.tokens import Tokens
from simulator.weights import Weights

ENDPOINTS = (*margin.ENDPOINTS, *account.ENDPOINTS, *catalog.ENDPOINTS)
MAX_BODY = 64 * 1024


def build(exchange: Exchange) -> web.Application:
    """The application for an exchange. Prices come from whoever prints on its board."""
    desk = Desk(exchange, Weights(), Tokens())
    users = UserStreams(desk)
    market = PublicStreams(exchange.board, exchange.clock, exchange.faults, StreamSettings())
    app = web.Application(middlewares=[guard.middleware(desk)], client_max_size=MAX_BODY)
    app.add_routes([route(desk, endpoint) for endpoint in ENDPOINTS])
    app.add_routes(public.routes(exchange.board, exchange.catalog, exchange.clock))
    app.add_routes(control.routes(desk))
    app.add_routes(users.routes())
    app.add_routes(market.routes())
    app.on_shutdown.extend([users.close, market.close])
    return app
