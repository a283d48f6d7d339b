"""What the pages have in common that are saved beside results."""

GENERATOR = '<meta name="generator" content="neural_style_transfer">'  # how a page is known as ours


def html_page(title: str, style: str, body: str) -> str:
    """Returns a page in HTML.

    Args:
        title: its heading too, escaped.
        style: lines of CSS.
        body: what comes below the heading.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
{GENERATOR}
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1rem system-ui, sans-serif; margin: 1rem; color: #222; background: #fff }}
{style}</style>
<h1>{title}</h1>
{body}</html>
"""
