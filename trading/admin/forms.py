"""Plain forms in the theme's look."""

from typing import Any

from django import forms
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES


class ThemedForm(forms.Form):
    """A form whose fields look like those of the other pages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field.widget, forms.Select):
                field.widget.template_name = "unfold/widgets/select.html"
                field.widget.attrs["class"] = " ".join(SELECT_CLASSES)
            else:
                field.widget.attrs["class"] = " ".join(INPUT_CLASSES)


class ReasonForm(ThemedForm):
    """Why the owner does it: it goes into the event log, with his name."""

    reason = forms.CharField(
        max_length=64,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
        help_text="Goes into the event log, with your name.",
    )
