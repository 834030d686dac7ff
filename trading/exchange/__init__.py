"""Binance behind a port: parsing, errors, REST and streams. No Django."""
