"""The gateway: a phone call over plain HTTP, answered by an agent.

    server.py         the program, from its start to its end
    settings.py       what there is to set
    app.py            the routes
    messages.py       the bodies of requests and answers
    authorisation.py  whose sessions a request may see
    conversation.py   runs the agent of a session
    playback.py       how much the caller has heard
    metrics.py        what is counted
    store/            where sessions are kept
    agents/           what answers the caller
    page/             live sessions, to be looked at in a browser
"""
