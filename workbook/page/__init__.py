"""What pages are made of: templates, style sheets, scripts, and the texts of one outcome.

Needs neither numpy nor Bokeh: the live page runs it inside the browser, beside `workbook.lib`.
"""
