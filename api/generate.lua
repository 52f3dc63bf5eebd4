--- Writes what is generated from api/cr-2018-12-01.json, see OUTPUTS.
--
-- The JSON file holds the facts of the API. Each output depends on the files in api/ alone (all
-- names sorted), so that CI can tell a stale one by comparing bytes.
--
--     lua5.4 api/generate.lua            writes the files
--     lua5.4 api/generate.lua --check    exit status 1 when one is not what it would write

local cjson = require "cjson"

package.path = "./?.lua;" .. package.path -- it is run in the project's top folder

local INPUT = "api/cr-2018-12-01.json"

-- Paths, and the modules whose function of the facts and their source returns the text.
local OUTPUTS = {
  { "src/core/operations_data.c", "api.operations_c" },
  { "src/cr/command/answers.lua", "api.answers" },
  { "types/cr.lua", "api.types" },
  { "docs/operations.md", "api.reference" },
}

local facts = require "api.facts"

local input = assert(facts.read(INPUT), "run this from the project's top folder")
local api = cjson.decode(input)

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local stale = false
for _, output in ipairs(OUTPUTS) do
  local path, text = output[1], require(output[2])(api, INPUT)
  if arg[1] ~= "--check" then
    write(path, text)
  elseif facts.read(path) ~= text then
    io.stderr:write(path, " is stale: run 'make generate' and commit the result\n")
    stale = true
  end
end
os.exit(stale and 1 or 0)
