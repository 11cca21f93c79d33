"""The settings of a Django project with a pool."""

import os

from psycopg.conninfo import conninfo_to_dict

_server = conninfo_to_dict(os.environ["DSN"])
SECRET_KEY = "not one"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop_urls"
USE_TZ = True
INSTALLED_APPS = ["shop_site"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _server["dbname"],
        "USER": _server.get("user", ""),
        "PASSWORD": _server.get("password", ""),
        "HOST": _server.get("host", ""),
        "PORT": _server.get("port", ""),
        "OPTIONS": {"pool": {"min_size": 0, "max_size": 2, "num_workers": 1}},
    }
}
