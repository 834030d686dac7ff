"""Addresses of the desk."""

from django.urls import path

from robson.desk import stream, views

app_name = "desk"
urlpatterns = [
    path("", views.live, name="live"),
    path("live/stream", stream.stream, name="stream"),
    path("positions/<int:pk>/", views.position, name="position"),
    path("positions/<int:pk>/chart", views.position_chart, name="position_chart"),
    path("positions/<int:pk>/story/", views.position_story, name="position_story"),
    path("guards/<int:pk>/", views.guard, name="guard"),
    path("guards/<int:pk>/chart", views.guard_chart, name="guard_chart"),
    path("guards/<int:pk>/story/", views.guard_story, name="guard_story"),
]
