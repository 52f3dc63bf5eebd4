--- The table of operations against the facts in api/.

local cr = require "cr"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local api = fixture.json "api/cr-2018-12-01.json"

--- Words of an API name, written here anew: GetRepoTag → get_repo_tag, a run of capitals one word.
local function snake_case(name)
  local words, word = {}, ""
  for i = 1, #name do
    local c, following = name:sub(i, i), name:sub(i + 1, i + 1)
    local upper, before_upper = c:find("%u"), word:sub(-1):find("%u")
    if word ~= "" and upper and (not before_upper or following:find("%l")) then
      words[#words + 1] = word
      word = ""
    end
    word = word .. c
  end
  words[#words + 1] = word
  return table.concat(words, "_"):lower()
end

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- What a descriptor should say of a parameter, field or item of the facts.
local function expected_schema(fact, style)
  style = fact.style or style or "repeat"
  local schema = {
    name = fact.name,
    type = fact.map and "map" or fact.type,
    required = fact.required == true,
    deprecated = fact.deprecated == true,
  }
  if fact.type == "array" then
    schema.style = style
    schema.items = expected_schema(fact.items, style)
  elseif fact.type == "object" then
    schema.style = style
    if not fact.map then
      schema.fields = {}
      for index, name in ipairs(sorted_names(fact.properties)) do
        local field = fixture.copy(fact.properties[name])
        field.name = name
        schema.fields[index] = expected_schema(field, style)
      end
    end
  end
  return schema
end

local function expected_descriptor(name, fact)
  local parameters = {}
  for index, parameter in ipairs(fact.parameters) do
    parameters[index] = expected_schema(parameter)
  end
  table.sort(parameters, function(a, b) return a.name < b.name end)
  local paging
  if fact.paging then
    paging = fixture.copy(fact.paging)
    paging.items = table.concat(paging.items, ".")
  end
  return {
    name = name, lua_name = snake_case(name), method = fact.method, parameters = parameters,
    paging = paging, ram_action = fact.ram_action, ram_resource = fact.ram_resource,
  }
end

--- Valid values for all required parameters of an operation.
local function required_parameters(fact)
  local values = {
    string = "v", boolean = true, integer = 1, long = 1, object = {},
  }
  local params = {}
  for _, parameter in ipairs(fact.parameters) do
    if parameter.required then
      if parameter.type == "array" then
        local item = parameter.items
        params[parameter.name] = { item.type == "object" and { [next(item.properties)] = "v" } or
          "v" }
      else
        params[parameter.name] = values[parameter.type]
      end
    end
  end
  return params
end

describe("cr.operations", function()
  it("agrees with the facts of the API in every field", function()
    local count = 0
    for name, fact in pairs(api.operations) do
      assert.same(expected_descriptor(name, fact), cr.operations[name], name)
      count = count + 1
    end
    assert.equal(119, count)
  end)

  it("holds nothing else", function()
    local names = sorted_names(cr.operations)
    assert.same(sorted_names(api.operations), names)
    assert.is_nil(cr.operations.Nonsense)
    assert.is_nil(cr.operations[1])
    assert.is_nil(cr.operations[true])
  end)

  it("finds a descriptor by its snake_case name too", function()
    for name in pairs(api.operations) do
      assert.equal(cr.operations[name], cr.operations[snake_case(name)], name)
    end
    assert.equal("GetRepoTag", cr.operations.get_repo_tag.name)
    assert.is_nil(cr.operations.getrepotag)
    assert.is_nil(cr.operations.GETREPOTAG)
  end)

  it("has distinct names", function()
    local seen = {}
    for _, descriptor in pairs(cr.operations) do
      assert.is_nil(seen[descriptor.lua_name])
      seen[descriptor.lua_name] = true
    end
  end)

  it("describes the documented operation", function()
    local descriptor = cr.operations.GetRepoTag
    assert.equal("GET", descriptor.method)
    assert.equal("cr:ListRepositoryTag", descriptor.ram_action)
    local names = {}
    for index, parameter in ipairs(descriptor.parameters) do
      names[index] = parameter.name
      assert.is_true(parameter.required)
      assert.equal("string", parameter.type)
    end
    assert.same({ "InstanceId", "RepoId", "Tag" }, names)
  end)
end)

describe("every operation", function()
  local client, transport = recorder.client()

  it("is a function of the module and a method of a client, once", function()
    for name in pairs(api.operations) do
      local lua_name = snake_case(name)
      assert.equal("function", type(cr[lua_name]), lua_name)
      assert.equal(cr[lua_name], cr[lua_name])
      assert.equal("function", type(client[lua_name]), lua_name)
      assert.equal(client[lua_name], client[lua_name])
      assert.equal(client[lua_name], recorder.client()[lua_name])
    end
  end)

  it("is called by method, by API name and by snake_case name alike", function()
    for name, fact in pairs(api.operations) do
      local params = required_parameters(fact)
      transport.requests = {}
      for _, answer in ipairs {
        { client[snake_case(name)](client, params) }, { client:call(name, params) },
        { client:call(snake_case(name), params) },
      } do
        assert.same({ IsSuccess = true, Code = "success", RequestId = "R-1" }, answer[1],
          tostring(answer[2]))
      end
      assert.equal(3, #transport.requests)
      for _, request in ipairs(transport.requests) do
        assert.equal(fact.method, request.method, name)
        assert.equal(name, request.headers["x-acs-action"])
        assert.equal("2018-12-01", request.headers["x-acs-version"])
        assert.equal(transport.requests[1].url, request.url)
      end
    end
  end)

  it("names a missing parameter, first in the order of names", function()
    for name, fact in pairs(api.operations) do
      local first
      for _, parameter in ipairs(fact.parameters) do
        if parameter.required and (not first or parameter.name < first) then
          first = parameter.name
        end
      end
      if first then
        local answer, err = client:call(name)
        assert.is_nil(answer)
        assert.equal("MissingParameter", err.code)
        assert.matches("missing required parameter " .. first .. " (", err.message, 1, true)
      end
    end
  end)
end)

describe("names that are no operations", function()
  local client, transport = recorder.client()

  it("are absent from module and client", function()
    for _, name in ipairs { "GetRepoTag", "getRepoTag", "nonsense", "get_repo_tags", "" } do
      assert.is_nil(cr[name], name)
      assert.is_nil(client[name], name)
    end
    for _, key in ipairs { 1, true, 1.5 } do
      assert.is_nil(cr[key])
      assert.is_nil(client[key])
    end
    assert.is_nil(cr[nil])
    assert.is_nil(client[nil])
  end)

  it("called make an error with the name that was meant", function()
    for wrong, meant in pairs {
      GetRepoTags = "GetRepoTag", get_repo_tags = "get_repo_tag", getRepoTag = "get_repo_tag",
      GetRepotag = "GetRepoTag", ListRepositorys = "ListRepository", list_namespce =
        "list_namespace",
    } do
      local answer, err = client:call(wrong)
      assert.is_nil(answer)
      assert.equal("validation", err.kind)
      assert.equal("UnknownOperation", err.code)
      assert.equal("no such operation; did you mean " .. meant .. "?", err.message)
      assert.equal(wrong .. ": UnknownOperation: no such operation; did you mean " .. meant .. "?",
        tostring(err))
      assert.is_false(err.retryable)
    end
  end)

  it("called with nothing close get another hint", function()
    local answer, err = client:call "PlayTheViolin"
    assert.is_nil(answer)
    assert.equal("no such operation", err.message)
    assert.equal("if it is newer than this library, give options.method", err.hint)
    answer, err = client:call ""
    assert.is_nil(answer)
    assert.equal("UnknownOperation", err.code)
  end)

  it("raise when they are no strings", function()
    for _, wrong in ipairs { 1, {}, true } do
      assert.error_matches(function() client:call(wrong) end,
        "the operation's name must be a string, got a " .. type(wrong))
    end
    assert.error_matches(function() client:call() end, "must be a string, got a nil")
  end)

  it("are sent when the method is given", function()
    for _, method in ipairs { "GET", "POST" } do
      transport.requests = {}
      assert(client:call("GetSomethingNew", { A = 1 }, { method = method }))
      assert.equal(method, transport.requests[1].method)
      assert.equal("GetSomethingNew", transport.requests[1].headers["x-acs-action"])
      assert.equal("https://cr.cn-hangzhou.aliyuncs.com/?A=1", transport.requests[1].url)
    end
    for _, method in ipairs { "PUT", "get", "", 1 } do
      assert.has_error(function() client:call("GetSomethingNew", {}, { method = method }) end)
    end
  end)

  it("that could forge a request are not sent", function()
    transport.requests = {}
    local real = cr.new {
      endpoint = "http://127.0.0.1:1", credentials = recorder.KEY, proxy = "", max_attempts = 1,
    }
    local answer, err = real:call("Get\r\nX-Evil: 1", {}, { method = "GET" })
    assert.is_nil(answer)
    assert.equal("validation", err.kind)
    assert.equal("UnknownOperation", err.code)
    assert.is_false(err.retryable)
  end)
end)

describe("options.method", function()
  it("changes the method of a listed operation for one call", function()
    local client, transport = recorder.client()
    assert(client:get_instance_count({}, { method = "GET" }))
    assert(client:get_instance_count())
    assert(client:get_instance_count({}, { method = "POST" }))
    assert.equal("GET", transport.requests[1].method)
    assert.equal("POST", transport.requests[2].method)
    assert.equal("POST", transport.requests[3].method)
    assert.equal("GetInstanceCount", transport.requests[1].headers["x-acs-action"])
  end)

  it("is part of the signature", function()
    local client, transport = recorder.client()
    assert(client:get_instance_count({}, { method = "GET" }))
    local request = transport.requests[1]
    local headers = fixture.copy(request.headers)
    headers.authorization = nil
    assert.equal(request.headers.authorization, cr.sign({
      method = "GET", headers = headers, access_key_id = recorder.KEY.access_key_id,
      access_key_secret = recorder.KEY.access_key_secret,
    }).authorization)
  end)
end)
