"""The dashboard in a browser, for who may only look; textual-serve and aiohttp are only here."""
