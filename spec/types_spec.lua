--- types/cr.lua against the facts in api/ and against what there is: no public name is missing,
-- none is made up.

local client_module = require "cr.client"
local config = require "cr.config"
local cr = require "cr"
local fixture = require "spec.support.fixture"
local luacats = require "spec.support.luacats"
local recorder = require "spec.support.recorder"

local api = fixture.json "api/cr-2018-12-01.json"
local text = fixture.read "types/cr.lua"
local types = luacats.read(text)
local README = fixture.read "README.md"

local function sorted(set)
  local keys = {}
  for key in pairs(set) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  return set
end

local function fields_of(class)
  return assert(types.classes[class], "no class " .. class).fields
end

--- Names in backticks.
local function names_in(part)
  local names = {}
  for name in part:gmatch "`([%l_]+)`" do
    names[name] = true
  end
  return names
end

local SCALARS = { string = "string", boolean = "boolean", integer = "integer", long = "integer" }

--- The declared type of a fact, and what is in it: {class name = schema with properties}.
local function expected_type(fact, class, classes)
  if fact.type == "array" then
    return expected_type(fact.items, class, classes) .. "[]"
  elseif fact.map then
    return "table<string, any>"
  elseif fact.type == "object" then
    classes[class] = fact
    return class
  end
  return SCALARS[fact.type]
end

--- What a class of parameters or of an answer must be, and those in it.
local function expect_class(expected, name, facts, options)
  local class = { fields = {}, parent = options.parent }
  expected[name] = class
  local inner = {}
  for field, fact in pairs(facts) do
    class.fields[field] = {
      type = expected_type(fact, name .. "." .. field, inner),
      optional = options.parent ~= nil and (not fact.required or field == options.optional),
    }
  end
  for inner_name, fact in pairs(inner) do
    expect_class(expected, inner_name, fact.properties, { parent = options.parent })
  end
end

local function expected_classes(name, operation)
  local expected, parameters = {}, {}
  for _, parameter in ipairs(operation.parameters) do
    parameters[parameter.name] = parameter
  end
  expect_class(expected, "cr." .. name .. ".Params", parameters,
    { parent = "cr.Closed", optional = "InstanceId" })
  if parameters.InstanceId and parameters.InstanceId.required then
    expected["cr." .. name .. ".AllParams"] = {
      parent = "cr." .. name .. ".Params",
      fields = { InstanceId = { type = "string", optional = false } },
    }
  end
  expect_class(expected, "cr." .. name .. ".Answer", operation.response.properties, {})
  return expected
end

local function needs_parameters(operation, but)
  for _, parameter in ipairs(operation.parameters) do
    if parameter.required and parameter.name ~= but then
      return true
    end
  end
  return false
end

describe("types/cr.lua", function()
  it("is small enough for the server, which leaves out files above 500 kB", function()
    assert.is_true(#text < 500 * 1000)
  end)

  it("declares the module", function()
    assert.matches("^%-%-%-@meta cr\n", text)
    assert.matches("\nreturn cr\n$", text)
  end)

  it("has every parameter and every field of every operation's answer, and no other", function()
    local expected, found = {}, {}
    for name, operation in pairs(api.operations) do
      for class, declared in pairs(expected_classes(name, operation)) do
        expected[class] = declared
      end
    end
    for name, class in pairs(types.classes) do
      if api.operations[name:match "^cr%.(%w+)%." or ""] then
        found[name] = { fields = class.fields, parent = class.parent }
      end
    end
    assert.same(sorted(expected), sorted(found))
    for name, class in pairs(expected) do
      assert.same(class, found[name], name)
    end
  end)

  it("has a function and a method for every operation", function()
    for name, operation in pairs(api.operations) do
      local lua_name = cr.operations[name].lua_name
      local params = "cr." .. name .. ".Params"
      local all = types.classes["cr." .. name .. ".AllParams"] and
        "cr." .. name .. ".AllParams" or params
      for declared, expected in pairs {
        ["cr." .. lua_name] = { type = all, optional = not needs_parameters(operation) },
        ["Client:" .. lua_name] = {
          type = params, optional = not needs_parameters(operation, "InstanceId"),
        },
      } do
        local found = assert(types.functions[declared], declared)
        assert.equal("params, options", found.arguments)
        assert.same({
          params = expected, options = { type = "cr.CallOptions", optional = true },
        }, found.params, declared)
        assert.same({ "cr." .. name .. ".Answer?", "cr.Error", "cr.Info" }, found.returns)
      end
    end
  end)

  it("knows every operation by both of its names", function()
    local names, paged, fields = {}, {}, {}
    for name, operation in pairs(api.operations) do
      local lua_name = cr.operations[name].lua_name
      assert.same({ ('"%s"|"%s"'):format(name, lua_name) }, types.aliases["cr." .. name])
      names[#names + 1] = "cr." .. name
      paged[#paged + 1] = operation.paging and "cr." .. name or nil
      fields[name], fields[lua_name] = true, true
    end
    assert.same(sorted(set_of(names)), sorted(set_of(types.aliases["cr.OperationName"])))
    assert.same(sorted(set_of(paged)), sorted(set_of(types.aliases["cr.PagedOperationName"])))
    assert.same(sorted(fields), sorted(fields_of "cr.Operations"))
  end)

  it("gives what takes a name one overload for each operation that it takes", function()
    local function count(is_wanted)
      local number = 0
      for name, operation in pairs(api.operations) do
        number = number + (is_wanted(name, operation) and 1 or 0)
      end
      return number
    end
    local function all() return true end
    local function is_paged(_, operation) return operation.paging ~= nil end
    local function is_read(name) return name:find "^Get%u" or name:find "^List%u" end
    for method, is_wanted in pairs {
      call = all, map = all, explain = all, pages = is_paged, items = is_paged, wait_for = is_read,
    } do
      for _, head in ipairs { "cr.", "Client:" } do
        local overloads = types.functions[head .. method].overloads
        assert.equal(count(is_wanted), #overloads, head .. method)
        local seen = {}
        for _, overload in ipairs(overloads) do
          local name = assert(overload:match "name: cr%.(%w+)", overload)
          assert.is_true(is_wanted(name, api.operations[name]) and not seen[name], overload)
          seen[name] = true
          local whole = "cr." .. name .. ".AllParams"
          local params = head == "cr." and types.classes[whole] and whole or
            "cr." .. name .. ".Params"
          assert.truthy(overload:find(params, 1, true), overload)
          assert.equal(head == "Client:", overload:find("^fun%(self: cr%.Client, ") ~= nil)
        end
      end
    end
  end)

  --- The functions of the module and the methods of clients that are no operations, as the source
  -- has them: some load modules of their own when they are first used.
  local function public_names()
    local init, client = fixture.read "src/cr/init.lua", fixture.read "src/cr/client.lua"
    local functions, methods = {}, {}
    for name in init:gmatch "\nfunction lazy%.([%w_]+)%(" do
      functions[name] = true
    end
    for name, value in pairs(cr) do
      functions[name] = type(value) == "function" or nil
    end
    functions.operations = nil -- a table
    for name in init:match "\nlocal METHODS = (%b{})":gmatch "([%w_]+) =" do
      functions[name] = true
    end
    for name in pairs(getmetatable(recorder.client()).__index) do
      methods[name] = true
    end
    for name in client:match "\nlocal MODULES = (%b{})":gmatch "([%w_]+) =" do
      methods[name] = true
    end
    for _, operation in pairs(cr.operations) do
      functions[operation.lua_name], methods[operation.lua_name] = true, true
    end
    return functions, methods
  end

  it("has every function of the module and every method of clients, and no other", function()
    local functions, methods = public_names()
    local declared = { cr = {}, Client = {}, Task = {} }
    for name in pairs(types.functions) do
      local head, method = name:match "^(%w+)[.:]([%w_]+)$"
      declared[head][method] = true
    end
    assert.same(sorted(functions), sorted(declared.cr))
    assert.same(sorted(methods), sorted(declared.Client))
    assert.same({ "_VERSION", "null", "operations" }, sorted(fields_of "cr"))
    for name in pairs(fields_of "cr") do
      assert.is_not_nil(cr[name], name)
    end
  end)

  it("has every key of the configuration, and no other", function()
    assert.same(sorted(config.keys), sorted(fields_of "cr.Config"))
    assert.equal("cr.Closed", types.classes["cr.Config"].parent)
    for name, field in pairs(fields_of "cr.Config") do
      assert.is_true(field.optional, name)
    end
    assert.same(sorted(config.call_options), sorted(fields_of "cr.CallOptions"))
    assert.equal("cr.Config", types.classes["cr.CallOptions"].parent)
  end)

  --- All fields of a class, those of its parents too.
  local function all_fields(class)
    local fields = {}
    while class and class ~= "cr.Closed" do
      for name in pairs(fields_of(class)) do
        fields[name] = true
      end
      class = types.classes[class].parent
    end
    return fields
  end

  --- The names at the end of a message about an unknown one.
  local function listed(message)
    local names = {}
    for name in message:match "(: unknown .*)$":match " are (.*)$":gmatch "[%w_]+" do
      names[name] = name ~= "and" or nil
    end
    return names
  end

  local function is_there(module)
    local file = io.open("src/cr/" .. module .. ".lua")
    return file ~= nil and file:close()
  end

  it("has the options of methods that have their own, and no others", function()
    local client, options = recorder.client(), { ["?"] = true }
    for method, class in pairs {
      map = "cr.MapOptions", pages = "cr.PagesOptions", items = "cr.PagesOptions",
      wait_for = "cr.WaitOptions", explain = "cr.CallOptions",
    } do
      if is_there(method) then
        local arguments = { client, "ListRepoTag", {}, options }
        if method == "wait_for" then
          arguments = { client, "ListRepoTag", {}, function() end, options }
        end
        local _, message = pcall(client[method], (table.unpack or unpack)(arguments))
        assert.same(sorted(all_fields(class)), sorted(listed(message)), method)
      end
    end
    local _, message = pcall(cr.run, function() end, options)
    assert.same(sorted(fields_of "cr.RunOptions"), sorted(listed(message)))
    if is_there "policy" then
      _, message = pcall(cr.policy, { "GetRepoTag" }, options)
      assert.same(sorted(fields_of "cr.PolicyOptions"), sorted(listed(message)))
      assert.same(require("cr.ram").NAMES, sorted(fields_of "cr.PolicyResources"))
    end
  end)

  it("declares types of the configuration that are accepted, and no wider ones", function()
    local samples = {
      string = "x", number = 1.5, integer = 2, boolean = true, ["table<string, any>"] = {},
      ["cr.TransportName|cr.Transport"] = "curl", ["cr.Credentials|fun()"] = recorder.KEY,
    }
    local wrong = { string = 1, number = "1", integer = 1.5, boolean = "yes" }
    for name, field in pairs(fields_of "cr.Config") do
      local value = samples[field.type] or field.type:match '^"(%w+)"' or function() end
      assert.is_nil(client_module.problem("cr.new", { [name] = value }), name)
      local bad = wrong[field.type] or 1
      assert.is_string(client_module.problem("cr.new", { [name] = bad }), name)
      for literal in field.type:gmatch '"(%w+)"' do
        assert.is_nil(client_module.problem("cr.new", { [name] = literal }), name)
      end
    end
  end)
end)

describe("credentials in types/cr.lua", function()
  local function types_of_credentials()
    local _, message = pcall(cr.new, { credentials = { type = "?" } })
    local names = {}
    for name in message:match "the types are (.*)$":gmatch "[%w_]+" do
      names[#names + 1] = name
    end
    return names
  end

  it("are of all types", function()
    local declared = {}
    for index, name in ipairs(types.aliases["cr.Credentials"]) do
      declared[index] = name:match "^cr%.Credentials%.([%w_]+)$"
    end
    table.sort(declared)
    assert.same(types_of_credentials(), declared)
  end)

  it("have every field, required where the code requires it", function()
    for _, name in ipairs(types_of_credentials()) do
      local module = require("cr.credentials." .. name)
      local required = set_of(module.required or module.keys or {})
      required.type = true
      local expected = { type = true }
      for _, field in ipairs(module.keys or {}) do
        expected[field] = true
      end
      for field in pairs(module.fields or {}) do
        expected[field] = true
      end
      local class = "cr.Credentials." .. name
      assert.same(sorted(expected), sorted(fields_of(class)), name)
      for field, declared in pairs(fields_of(class)) do
        assert.equal(not required[field], declared.optional, name .. "." .. field)
      end
      assert.equal('"' .. name .. '"', fields_of(class).type.type)
      assert.equal("cr.Closed", types.classes[class].parent)
    end
  end)
end)

describe("results in types/cr.lua", function()
  local errors = README:match "\n## Errors\n(.-)\n## "
  local denied = '{"Code":"NoPermission","Message":"no","RequestId":"R-2","Recommend":"x",' ..
    '"AccessDeniedDetail":{"PolicyType":"x","AuthAction":"cr:Get","NoPermissionType":"x",' ..
    '"AuthPrincipalDisplayName":"x"}}'

  it("have the kinds of errors that there are", function()
    local kinds = {}
    for kind in errors:gmatch "\n| `(%l+)` |" do
      kinds[#kinds + 1] = kind ~= "kind" and '"' .. kind .. '"' or nil
    end
    for kind in (fixture.read "src/cr/map.lua" .. fixture.read "src/cr/answer.lua"):gmatch
      'kind = "(%l+)"' do
      assert.truthy(types.aliases["cr.ErrorKind"][1]:find('"' .. kind .. '"', 1, true), kind)
    end
    assert.same({ table.concat(kinds, "|") }, types.aliases["cr.ErrorKind"])
  end)

  it("have the fields of errors that the README lists", function()
    for name in pairs(names_in(assert(errors:match "for programs: (.-)\n\n"))) do
      assert.is_table(fields_of("cr.Error")[name], name)
    end
  end)

  it("have every field of the errors that come", function()
    local function call(answers, settings)
      local client = recorder.client(answers, settings)
      local _, err = client:get_repo_tag {
        InstanceId = "cri-1", RepoId = "crr-1", Tag = "1.0",
      }
      return assert(err)
    end
    local _, unknown = recorder.client():call "Nonsense"
    local unavailable = select(2, recorder.client(nil, {
      credentials = { type = "profile", file = "/nowhere" },
    }):credentials())
    local list = {
      unknown, unavailable, (select(2, recorder.client():get_repo_tag {})),
      call({ { failure = { code = "ConnectFailed", message = "x", sent = false } } }),
      call({ recorder.response(403, denied) }), call { "{" }, call { '{"IsSuccess":false}' },
    }
    local seen = {}
    for _, err in ipairs(list) do
      for name in pairs(err) do
        assert.is_table(fields_of("cr.Error")[name], name)
        seen[err.kind] = true
      end
    end
    assert.same({ "credentials", "response", "service", "transport", "validation" }, sorted(seen))
    for name in pairs(list[5].access_denied) do
      assert.is_table(fields_of("cr.AccessDenied")[name], name)
    end
  end)

  it("have the fields of info", function()
    local part = assert(README:match "%- `info`: (.-)\n\n")
    local expected = names_in(part)
    assert.same(sorted(expected), sorted(fields_of "cr.Info"))
    local _, _, info = recorder.client():get_instance_count()
    for name in pairs(info) do
      assert.is_true(expected[name], name)
    end
  end)

  it("have the fields of what on_attempt is told", function()
    local part = fixture.read "docs/reliability.md":match "\n## The hook\n(.-)\n## "
    local expected = {}
    for cell in part:gmatch "\n| (`[^|]*) |" do
      for name in pairs(names_in(cell)) do
        expected[name] = true
      end
    end
    local declared = fixture.copy(fields_of "cr.AttemptEvent")
    declared["[string]"] = nil
    assert.same(sorted(expected), sorted(declared))
    local source = fixture.read "src/cr/pipeline.lua":match "local event = (%b{})"
    for name in source:gmatch "\n    ([%l_]+) =" do
      assert.is_true(expected[name], name)
    end
  end)

  it("have the reasons for giving up", function()
    local part = fixture.read "docs/reliability.md":match "\n| `gave_up` | ([^\n]*)"
    local reasons = {}
    for reason in part:gmatch '"[%l_ ]+"' do
      reasons[#reasons + 1] = reason
    end
    assert.truthy(text:find("---@field gave_up? " .. table.concat(reasons, "|") .. "\n", 1, true))
  end)

  it("have the fields of descriptors, of their parameters and of paging", function()
    local function is_declared(object, class)
      for name in pairs(object) do
        assert.is_table(fields_of(class)[name], class .. "." .. name)
      end
    end
    local function schema(found)
      is_declared(found, "cr.Schema")
      for _, field in ipairs(found.fields or { found.items }) do
        schema(field)
      end
    end
    local seen = {}
    for _, descriptor in pairs(cr.operations) do
      is_declared(descriptor, "cr.Descriptor")
      for name in pairs(descriptor) do
        seen[name] = true
      end
      for _, parameter in ipairs(descriptor.parameters) do
        schema(parameter)
      end
      is_declared(descriptor.paging or {}, "cr.Paging")
    end
    assert.same(sorted(seen), sorted(fields_of "cr.Descriptor"))
  end)

  it("have the fields of signatures", function()
    local request = { method = "GET", access_key_id = "x", access_key_secret = "y" }
    local signature = cr.sign(request)
    assert.same(sorted(signature), sorted(fields_of "cr.Signature"))
    for name in pairs(fields_of "cr.SignRequest") do
      assert.truthy(README:find("`" .. name .. "`", 1, true), name)
    end
    request.algorithm = "HMAC-SHA1"
    for name in pairs(cr.sign(request)) do
      assert.is_table(fields_of("cr.Signature")[name], name)
    end
  end)

  it("have the fields of identities", function()
    local client = recorder.client()
    for name in pairs(assert(client:credentials())) do
      assert.is_table(fields_of("cr.Identity")[name], name)
    end
    local source = fixture.read "src/cr/identity.lua":match "return (%b{})\nend\n\nreturn"
    local made = {}
    for name in source:gmatch "\n    ([%l_]+) =" do
      made[name] = true
    end
    assert.same(sorted(made), sorted(fields_of "cr.Identity"))
  end)
end)
