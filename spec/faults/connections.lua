--- Faults of reaching the peer, and of a connection that ends or goes silent.

local faults = require "spec.support.faults"

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
local SILENT = "`timeout`"

local rows = {
  {
    name = "connection refused",
    script = [[
      close_port()
      note "ready"
      await_behaviour()
      open_port()
      note "behaves"
      misbehave()
    ]],
    waits = "behaves", is_cold = true, arrives = false,
    gets = "ConnectFailed", repeats = "all", bound = "at once",
  },
  {
    name = "SYN never answered",
    script = [[
      -- Linux drops a SYN when the queue of those not yet accepted is full.
      close_port()
      open_port(0)
      local waiting = {}
      for i = 1, 3 do
        waiting[i] = socket.tcp()
        waiting[i]:settimeout(0)
        waiting[i]:connect("127.0.0.1", port)
      end
      note "ready"
      await_behaviour()
      for i = 1, 3 do
        waiting[i]:close()
      end
      close_port()
      open_port()
      note "behaves"
      misbehave()
    ]],
    waits = "behaves", is_cold = true, arrives = false, connect_timeout = faults.SHORT,
    gets = "Timeout", repeats = "all", bound = "`connect_timeout`",
  },
  {
    name = "name that does not resolve",
    fault = "", is_cold = true, arrives = false,
    config = { endpoint = "https://no-such-host.invalid" },
    gets = "ResolveFailed", repeats = "all", bound = "the resolver, `connect_timeout`",
  },
  {
    name = "accepted, and silence",
    at_connect = true, is_cold = true, fault = "connection:stay()", timeout = faults.SHORT,
    gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "silence after the request",
    fault = "connection:stay()", timeout = faults.SHORT,
    gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "silence within the headers",
    says = HEAD .. "X-Ha", after = "stay", timeout = faults.SHORT,
    gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "silence after the headers",
    says = HEAD .. "Content-Length: 20\r\n\r\n", after = "stay", timeout = faults.SHORT,
    gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "silence within the body",
    says = HEAD .. "Content-Length: 20\r\n\r\n{\"IsSuc", after = "stay", timeout = faults.SHORT,
    gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "one byte every 50 ms in the headers",
    fault = ("connection:drip(%q, 0.05)"):format(HEAD .. ("X-Drip: drip\r\n"):rep(100)),
    timeout = faults.SHORT, gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "one byte every 50 ms in the body",
    fault = ("connection:send(%q) connection:drip((' '):rep(1000), 0.05)"):format(
      HEAD .. "Content-Length: 1000\r\n\r\n"),
    timeout = faults.SHORT, gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "one chunk every 50 ms",
    fault = ("connection:send(%q) while connection:send '1\\r\\n \\r\\n' do socket.sleep(0.05) end")
      :format(HEAD .. "Transfer-Encoding: chunked\r\n\r\n"),
    timeout = faults.SHORT, gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "one interim answer every 50 ms",
    fault = [[
      while connection:send "HTTP/1.1 102 Processing\r\n\r\n" do
        socket.sleep(0.05)
      end
    ]],
    timeout = faults.SHORT, gets = "Timeout", repeats = "reads", bound = SILENT,
  },
  {
    name = "reset with the request unread",
    at_connect = true, is_cold = true, fault = "connection:await() connection:reset()",
    gets = "ConnectionClosed", repeats = "reads", bound = "at once",
  },
  {
    name = "closed with the request unread",
    at_connect = true, is_cold = true, fault = "connection:await()",
    gets = "ConnectionClosed", repeats = "reads", bound = "at once",
  },
  {
    name = "closed before the answer",
    says = "", gets = "ConnectionClosed", repeats = "reads", bound = "at once",
  },
  {
    name = "closed within the status line",
    says = "HTTP/1.1 2", gets = "ConnectionClosed", repeats = "reads", bound = "at once",
  },
  {
    name = "closed within the headers",
    says = HEAD .. "X-Ha", gets = "ConnectionClosed", repeats = "reads", bound = "at once",
  },
  {
    name = "closed after the headers",
    says = HEAD .. "Content-Length: 20\r\n\r\n",
    gets = "TruncatedBody", repeats = "reads", bound = "at once",
  },
  {
    name = "closed within the body",
    says = HEAD .. "Content-Length: 20\r\n\r\n{\"IsSuc",
    gets = "TruncatedBody", repeats = "reads", bound = "at once",
  },
  {
    name = "half-closed by the peer before the answer",
    fault = "connection.tcp:shutdown 'send' connection:stay()",
    gets = "ConnectionClosed", repeats = "reads", bound = "at once",
  },
}

-- The same by a reset, which may overtake what was sent before it.
for _, cut in ipairs {
  { "before the answer", "" },
  { "within the status line", "HTTP/1.1 2" },
  { "within the headers", HEAD .. "X-Ha" },
  { "after the headers", HEAD .. "Content-Length: 20\r\n\r\n" },
  { "within the body", HEAD .. "Content-Length: 20\r\n\r\n{\"IsSuc" },
} do
  rows[#rows + 1] = {
    name = "reset " .. cut[1], says = cut[2], after = "reset",
    gets = "ConnectionClosed", repeats = "reads", bound = "at once",
  }
end

return rows
