"""Where the log is kept and what keeps it whole: database, migrations, copies, signatures."""
