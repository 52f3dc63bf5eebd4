--- `cr get-repo-tag …`: one call, all pages of a list, or a call for each line of standard input.

local client = require "cr.command.client"
local exit_status = require "cr.command.exit_status"
local failure = require "cr.command.failure"
local names = require "cr.command.names"
local rows = require "cr.command.rows"
local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"

local operation = {}

--- The format, and the writer for what the plan makes of the answers.
local function writer_of(job, is_list)
  return require("cr.command.output." .. job.format).new {
    operation = job.operation.name,
    is_list = is_list,
    columns = job.plan.columns,
    item_path = job.plan.item_path,
    is_pretty = terminal.output() ~= nil,
  }
end

local function format_of(options)
  return options.output or
    (not options.fields and "json" or terminal.output() and "table" or "text")
end

--- What is to be done, from the parsed words.
-- @return job  or nil, what is wrong
local function job_of(descriptor, parsed, who)
  local options, job = parsed.options, nil
  if options.all and not descriptor.paging then
    return nil, ("--all: %s has no pages"):format(descriptor.name)
  elseif options.all and parsed.bulk then
    return nil, ("--all and --%s - do not go together"):format(parsed.bulk.name)
  end
  local format = format_of(options)
  local plan, wrong = rows.plan(descriptor, {
    fields = options.fields, all = options.all,
    needs_columns = format == "table" or format == "text",
  })
  if plan then
    job = {
      operation = descriptor, params = parsed.params, options = options, bulk = parsed.bulk,
      who = who, format = format, plan = plan, writer_of = writer_of,
    }
    job.client, wrong = client.new(options, who)
  end
  return job and job.client and job, wrong
end

--- Tells of a failed call.
-- @return the exit status
local function fail(job, err)
  terminal.say(job.who, failure.text(err))
  return exit_status.of(err)
end

--- Says so when a list was asked for and the answer is its first page only.
local function tell_of_more(job, answer, count)
  local paging = job.operation.paging
  local total = paging and job.plan.item_path and tonumber(answer[paging.total or ""])
  if total and total > count and job.params[paging.page] == nil then
    terminal.say(job.who, ("the first %d of %d; --all gives all"):format(count, total), "warning")
  end
end

local function single(job)
  local answer, err = job.client:call(job.operation.name, job.params)
  if not answer then
    return fail(job, err)
  end
  local writer, items = writer_of(job, job.plan.item_path ~= nil), rows.items(job.plan, answer)
  for _, item in ipairs(items) do
    writer:add(rows.row(job.plan, item))
  end
  writer:finish()
  tell_of_more(job, answer, #items)
  return exit_status.OK
end

--- Every item of every page, as the pages come.
local function all(job)
  local writer, progress = writer_of(job, true), require("cr.command.progress").new()
  sink.by_row()
  local ok, err = pcall(function()
    for item, page in job.client:items(job.operation.name, job.params) do
      writer:add(rows.row(job.plan, item))
      progress:step(1, tonumber(page[job.operation.paging.total or ""]))
    end
  end)
  progress:finish()
  if ok then
    writer:finish()
    return exit_status.OK
  elseif type(err) ~= "table" or not err.kind then
    error(err, 0)
  end
  sink.flush()
  return fail(job, err)
end

local function run(job)
  if job.options["dry-run"] then
    return require("cr.command.explain").job(job)
  elseif job.bulk then
    return require "cr.command.bulk" (job)
  elseif job.options.all then
    return all(job)
  end
  return single(job)
end

--- A line for the end of a message of usage.
function operation.see(descriptor)
  return ("; cr help %s lists what it takes"):format(names.kebab(descriptor.name))
end

--- @tparam table descriptor of the operation
-- @tparam table words what follows its name
-- @tparam string who the program and the name as it was written
-- @tparam ?boolean explains whether to send nothing and explain
-- @return the exit status
function operation.run(descriptor, words, who, explains)
  local parsed, wrong = require("cr.command.arguments").parse(descriptor, words)
  local see = operation.see(descriptor)
  if parsed and parsed.options.help then
    return require("cr.command.help").operation(descriptor)
  elseif parsed and explains then
    parsed.options["dry-run"] = true
  end
  local job
  if parsed then
    job, wrong = job_of(descriptor, parsed, who)
    see = ""
  end
  if not job then
    terminal.say(who, wrong .. see)
    return exit_status.USAGE
  end
  collectgarbage "restart"
  return run(job)
end

return operation
