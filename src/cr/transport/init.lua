--- Which transport a client has: the one it was given, else libcurl, and inside nginx threads.

local transports = {}

--- Whether this Lua state is one of nginx's, and no thread's of it.
function transports.in_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.get_phase ~= nil
end

-- By the name they have in a configuration: a function of the settings that makes one, and how they
-- are told apart within a client.
local MAKE = {
  curl = function()
    return require "cr.transport.curl" ()
  end,
  nginx = function(settings)
    return require "cr.transport.nginx" (settings.thread_pool)
  end,
}

--- Whether there is a transport of that name, here.
function transports.has(name)
  return name == "curl" or (name == "nginx" and transports.in_nginx())
end

--- A transport of ours.
-- @tparam ?string name "curl", "nginx" or nil: whichever is right here
-- @tparam table settings `thread_pool`, and `transports`, those that the client has already
function transports.of(name, settings)
  name = name or (transports.in_nginx() and "nginx" or "curl")
  local key = name == "nginx" and "nginx " .. settings.thread_pool or name
  local transport = settings.transports[key] or MAKE[name](settings)
  settings.transports[key] = transport
  return transport
end

return transports
