--- Finds the service that a request is for: by its path, and at the path / by its version.

local catalogue = require "cr.emulator.catalogue"
local cloud_sso = require "cr.emulator.cloud_sso"
local credentials_uri = require "cr.emulator.credentials_uri"
local gateway = require "cr.emulator.gateway"
local metadata = require "cr.emulator.metadata"
local sts = require "cr.emulator.sts"

local services = {}

local PATHS = {
  ["/credentials"] = credentials_uri,
  ["/cloud-credentials"] = cloud_sso,
}

--- @return a service, see pipeline.lua
function services.find(request)
  if request.path:sub(1, #metadata.ROOT) == metadata.ROOT then
    return metadata
  elseif request.path == "/" and request.version == catalogue.sts_version then
    return sts
  end
  return PATHS[request.path] or gateway
end

return services
