--- What callers get from peers that do wrong. The tables say it, spec/support/faults.lua runs them.

local authority = require "spec.support.authority"
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
describe_rows("a fault of a proxy,", require "spec.faults.proxies")

describe("a fault of TLS,", function()
  local servers

  setup(function()
    servers = authority.start()
  end)

  teardown(function()
    servers:stop()
  end)

  for _, row in ipairs(require "spec.faults.tls") do
    it(row.name, function() faults.run(row, servers) end)
  end

  it("keeps the request from every server that is not trusted", function()
    for _, name in ipairs {
      "expired", "future", "self_signed", "wrong_host", "no_names", "client_only", "unknown",
      "weak", "under_between_old", "incomplete", "under_not_between", "tls10", "tls11", "no_cipher",
    } do
      assert.equal(0, servers:requests(name), name)
    end
    assert.is_true(servers:requests "revoked" >= 2) -- so the count counts
  end)
end)
