--- What callers get from peers that do wrong. The tables say it, spec/support/faults.lua runs them.

local faults = require "spec.support.faults"

local function describe_rows(title, rows)
  describe(title, function()
    for _, row in ipairs(rows) do
      it(row.name, function() faults.run(row) end)
    end
  end)
end

describe_rows("a fault of the connection,", require "spec.faults.connections")
describe_rows("a fault of HTTP,", require "spec.faults.framing")
describe_rows("a fault of the answer,", require "spec.faults.bodies")
