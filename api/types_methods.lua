--- Methods that take an operation's name: declared with one overload per operation, so that the
-- name decides what the parameters and the answer are.

local methods = {}

local function is_paged(operation)
  return operation.paging ~= nil
end

local function is_read(operation)
  return operation.is_read
end

-- Waits that are known by a name of their own too, see src/cr/wait_for.lua.
local READY = {
  GetRepoTagScanStatus = "scan",
  GetRepoSyncTask = "sync",
  GetRepoBuildRecord = "build",
  GetInstanceEndpoint = "endpoint",
}

local CALL_RETURNS = {
  "table<string, any>? answer", "cr.Error err nil with an answer", "cr.Info info nil with an error",
}

-- `parameters` and `returns` are those of an operation that is not known; `arguments` and `gives`
-- make an overload of one that is. In these, `$answer`, `$item` and `$params` are its classes, and
-- `$opt` is a question mark where it can be called without parameters.
local METHODS = {
  {
    name = "call", text = "Calls an operation by its name.",
    parameters = {
      "name string", "params? table<string, any>", "options? cr.CallOptions",
    },
    returns = CALL_RETURNS,
    arguments = "name: $name, params$opt: $params, options?: cr.CallOptions",
    gives = "$answer?, cr.Error, cr.Info",
  },
  {
    name = "map",
    text = "Calls with each item of a list, many at a time: index, answer, err, info as they come.",
    parameters = {
      "name string", "list table<string, any>[]|fun(): table<string, any>?",
      "options? cr.MapOptions",
    },
    returns = { "(fun(): integer, table<string, any>?, cr.Error, cr.Info) iterator" },
    arguments = "name: $name, list: $params[]|fun(): ($params?), options?: cr.MapOptions",
    gives = "fun(): integer, $answer?, cr.Error, cr.Info",
  },
  {
    name = "pages",
    text = "Iterates over the pages of a list: answer, info. A failure raises the error.",
    of = is_paged,
    parameters = {
      "name cr.PagedOperationName", "params? table<string, any>", "options? cr.PagesOptions",
    },
    returns = { "(fun(): table<string, any>, cr.Info) iterator" },
    arguments = "name: $name, params$opt: $params, options?: cr.PagesOptions",
    gives = "fun(): $answer, cr.Info",
  },
  {
    name = "items",
    text = "Iterates over all items of a list: item, page. A failure raises the error.",
    of = is_paged,
    parameters = {
      "name cr.PagedOperationName", "params? table<string, any>", "options? cr.PagesOptions",
    },
    returns = { "(fun(): table<string, any>, table<string, any>) iterator" },
    arguments = "name: $name, params$opt: $params, options?: cr.PagesOptions",
    gives = "fun(): $item, $answer",
  },
  {
    name = "wait_for", text = "Asks a read with growing pauses until its answer is as wanted.",
    of = is_read, ready = true,
    parameters = {
      "name string", "params? table<string, any>",
      "predicate? cr.States|fun(answer: table<string, any>): boolean?, string?",
      "options? cr.WaitOptions",
    },
    returns = CALL_RETURNS,
    arguments = "name: $name, params$opt: $params, predicate$ready: " ..
      "cr.States|(fun(answer: $answer): boolean?, string?), options?: cr.WaitOptions",
    gives = "$answer?, cr.Error, cr.Info",
  },
  {
    name = "explain", text = "Signs a call without sending it.",
    parameters = {
      "name string", "params? table<string, any>", "options? cr.CallOptions",
    },
    returns = { "cr.Explanation? explanation", "cr.Error err nil with an explanation" },
    arguments = "name: $name, params$opt: $params, options?: cr.CallOptions",
    gives = "cr.Explanation?, cr.Error",
  },
}

local function emit_overload(emit, method, operation, is_method)
  local classes = operation.classes
  local is_required = classes.all_required
  if is_method then
    is_required = classes.required
  end
  local ready = method.ready and READY[operation.name]
  local words = {
    name = classes.name .. (ready and ('|"%s"'):format(ready) or ""),
    params = is_method and classes.params or classes.all_params,
    answer = classes.answer,
    item = classes.item,
    opt = is_required and "" or "?",
    ready = ready and "?" or "",
  }
  local function fill(text)
    return (text:gsub("%$(%a+)", words))
  end
  emit("---@overload fun(%s%s): %s", is_method and "self: cr.Client, " or "",
    fill(method.arguments), fill(method.gives))
end

local function emit_method(emit, method, operations, head)
  emit("--- %s", method.text)
  for _, operation in ipairs(operations) do
    if not method.of or method.of(operation) then
      emit_overload(emit, method, operation, head == "Client:")
    end
  end
  local names = {}
  for index, parameter in ipairs(method.parameters) do
    emit("---@param %s", parameter)
    names[index] = parameter:match("^%w+")
  end
  for _, result in ipairs(method.returns) do
    emit("---@return %s", result)
  end
  emit("function %s%s(%s) end", head, method.name, table.concat(names, ", "))
  emit("")
end

--- @tparam function emit of a line, as string.format
-- @tparam table operations with their `classes`
function methods.emit(emit, operations)
  for _, method in ipairs(METHODS) do
    emit_method(emit, method, operations, "Client:")
    emit_method(emit, method, operations, "cr.")
  end
  for _, head in ipairs { "Client:", "cr." } do
    emit("--- Tells whose credential signs.")
    emit("---@param options? cr.CallOptions")
    emit("---@return cr.Identity? identity")
    emit("---@return cr.Error err nil with an identity")
    emit("function %scredentials(options) end", head)
    emit("")
  end
  emit("--- Drops kept connections. The client can go on being used.")
  emit("function Client:close() end")
end

return methods
