--- The task of the scheduler that runs at this moment, `running.task`, or nil. A module of its own,
-- so that a transport can ask without loading the scheduler.

return { task = nil }
