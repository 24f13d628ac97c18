"""The platform's pages, as `make ui` builds them of ui/src/platform."""
