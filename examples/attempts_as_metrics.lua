--- Counts attempts in the text format of Prometheus: how many, how they ended, how long they took.
--
--     lua5.4 examples/attempts_as_metrics.lua
--
-- A program that goes on running would serve `metrics.text()` at /metrics, or write it to a file
-- for the node exporter's textfile collector; this one prints it after a few calls.

local cr = require "cr"

local metrics = { counts = {}, seconds = {}, calls = {} }

local function quoted(value)
  return '"' .. tostring(value):gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

--- One attempt. Labels have few values each: operations and codes, no ids.
function metrics.note(event)
  local labels = ("operation=%s,kind=%s,code=%s"):format(quoted(event.operation),
    quoted(event.kind or "success"), quoted(event.code or ""))
  metrics.counts[labels] = (metrics.counts[labels] or 0) + 1
  local operation = "operation=" .. quoted(event.operation)
  metrics.calls[operation] = (metrics.calls[operation] or 0) + 1
  metrics.seconds[operation] = (metrics.seconds[operation] or 0) + (event.total or 0)
end

local function append(lines, name, kind, help, values)
  lines[#lines + 1] = ("# HELP %s %s"):format(name, help)
  lines[#lines + 1] = ("# TYPE %s %s"):format(name, kind)
  local sorted = {}
  for labels, value in pairs(values) do
    sorted[#sorted + 1] = ("%s{%s} %.6g"):format(name, labels, value)
  end
  table.sort(sorted)
  for _, line in ipairs(sorted) do
    lines[#lines + 1] = line
  end
end

function metrics.text()
  local lines = {}
  append(lines, "cr_attempts_total", "counter", "Attempts by how they ended.", metrics.counts)
  append(lines, "cr_attempt_seconds_sum", "counter", "Seconds in attempts that were answered.",
    metrics.seconds)
  append(lines, "cr_attempt_seconds_count", "counter", "Attempts.", metrics.calls)
  return table.concat(lines, "\n") .. "\n"
end

local client = cr.new { on_attempt = metrics.note }

for _, tag in ipairs { "1.0", "0.9", "no-such-tag" } do
  client:get_repo_tag {
    InstanceId = os.getenv "INSTANCE_ID" or "cri-kmsiwlxxdcva****",
    RepoId = os.getenv "REPO_ID" or "crr-tquyps22md8p****",
    Tag = tag,
  }
end
io.stdout:write(metrics.text())
