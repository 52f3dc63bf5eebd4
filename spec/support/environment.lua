--- Environment variables for a spec: the library asks `os.getenv` each time, so that it can be
-- given another environment in the spec's own process.
--
--     environment.set { HOME = folder, ALIBABA_CLOUD_PROFILE = "ci" }   -- and no other variable
--     environment.restore()

local environment = {}

local real = os.getenv

--- Only these variables are set from now on.
function environment.set(variables)
  os.getenv = function(name) -- luacheck: ignore 122
    return variables[name]
  end
end

function environment.restore()
  os.getenv = real -- luacheck: ignore 122
end

return environment
