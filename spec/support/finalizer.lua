--- Objects whose finalizer calls a function, in every Lua version.

return function(callback)
  if newproxy then
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = callback
    return proxy
  end
  return setmetatable({}, { __gc = callback })
end
