"""What looks after recordings without the service: verify, repair, import, export, rekey.

    commands.py     the commands, their options and exit statuses
    inspection.py   what may be wrong with a recording
    verify.py       says what is wrong
    repair.py       makes right what can be
    importing.py    files of others become recordings
    exporting.py    recordings become files for others
    rekeying.py     another master key for encrypted recordings
"""
