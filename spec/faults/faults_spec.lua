--- What callers get from peers that do wrong. The tables say it, spec/support/faults.lua runs them.

local faults = require "spec.support.faults"

local function describe_rows(title, rows)
  describe(title, function()
    for _, row in ipairs(rows) do
      for _, scenario in ipairs(faults.scenarios(row)) do
        it(scenario[1], scenario[2])
      end
    end
  end)
end

describe_rows("a fault of the connection,", require "spec.faults.connections")
