"""A page of what is live in a service: its files, which anybody may read, and the events that keep it up to date.

    routes.py        the files' routes, and the answer that is a stream of events
    live_page.js     the key that is asked for, and the events, in the browser
    live_page.css    colours, header, forms

A page has the elements `state`, `ask` (a form with the input `key`) and `forget`, and includes both shared files.
"""
