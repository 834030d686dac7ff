"""Addresses of the web process."""

from django.contrib import admin
from django.urls import include, path

from robson import views

urlpatterns = [
    path("", include("robson.desk.urls")),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("metrics", views.metrics),
]
