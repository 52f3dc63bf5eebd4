--- What api/generate.lua writes is what it would write now, and it notices when it is not.

local child = require "spec.support.child"

local GENERATED = {
  "docs/operations.md", "src/core/operations_data.c", "src/cr/command/answers.lua", "types/cr.lua",
}

describe("generated files", function()
  it("are fresh", function()
    local output, ok = child.shell(child.LUA .. " api/generate.lua --check")
    assert.is_true(ok, output)
  end)

  it("are checked by a generator that notices a change in each", function()
    local folder = child.new_folder()
    local function generate(arguments)
      return child.shell(("cd %s && %s api/generate.lua %s"):format(folder, child.LUA, arguments))
    end
    finally(function() child.remove_folder(folder) end)
    child.shell(("cp -r api %s && cd %s && mkdir -p docs src/core src/cr/command types")
      :format(folder, folder))
    local output, ok = generate "--check"
    assert.is_false(ok)
    for _, path in ipairs(GENERATED) do
      assert.truthy(output:find(path .. " is stale", 1, true), path)
    end
    output, ok = generate ""
    assert.is_true(ok, output)
    for _, path in ipairs(GENERATED) do
      output, ok = child.shell(("cmp %s %s/%s"):format(path, folder, path))
      assert.is_true(ok, output)
      child.shell(("sed -i 's/GetRepoTag/GetRepoTab/' %s/%s"):format(folder, path))
      output, ok = generate "--check"
      assert.is_false(ok)
      assert.equal(path .. " is stale: run 'make generate' and commit the result\n", output)
      generate ""
    end
  end)
end)
