--- The Security Token Service (STS), API version 2015-04-01: which host, what a request looks
-- like, what its answer holds. Two providers speak to it.
--
-- Source: the vendor's STS API reference, AssumeRole and AssumeRoleWithOIDC.

local check = require "cr.credentials.check"
local endpoints = require "cr.endpoint"
local remote = require "cr.credentials.remote"
local unavailable = require "cr.credentials.unavailable"
local variable = require "cr.credentials.variable"

local sts = {
  VERSION = "2015-04-01",

  -- Fields of both providers.
  fields = {
    role_arn = check.line,
    role_session_name = check.line,
    role_session_expiration = check.duration,
    policy = check.text,
    sts_endpoint = check.line,
    sts_region = check.line,
    enable_vpc = check.boolean,
    timeout = check.seconds,
    connect_timeout = check.seconds,
  },
}

local DURATION = 3600 -- seconds

--- The host: as declared, else from the environment, else the region's, else the one for all. In
-- a VPC the client's own region will do.
local function host_of(ask, declared)
  local region = declared.sts_region or variable.text "ALIBABA_CLOUD_STS_REGION"
  local is_vpc = declared.enable_vpc
  if is_vpc == nil then
    is_vpc = variable.flag "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"
  end
  if is_vpc then
    region = region or ask.settings.region or variable.text "ALIBABA_CLOUD_REGION_ID"
  end
  if not region then
    return "sts.aliyuncs.com"
  elseif not endpoints.is_region(region) then
    return nil, unavailable(("STS region %q is not a region id"):format(region),
      { hint = 'write it like "cn-hangzhou"' })
  end
  return ("%s.%s.aliyuncs.com"):format(is_vpc and "sts-vpc" or "sts", region)
end

--- @return endpoint, see endpoint.lua
-- @return nil, error
function sts.endpoint(ask, declared)
  local host, err = declared.sts_endpoint or variable.text "CR_STS_ENDPOINT", nil
  if not host then
    host, err = host_of(ask, declared)
  end
  if not host then
    return nil, err
  end
  return remote.endpoint(ask, "sts_endpoint", host)
end

--- The role to assume, and the parameters that both ways of assuming it have.
-- @return table of strings
-- @return nil, error
function sts.parameters(ask, declared)
  local role = declared.role_arn or variable.text "ALIBABA_CLOUD_ROLE_ARN"
  if not role then
    return nil, unavailable("no role: role_arn is not given, and ALIBABA_CLOUD_ROLE_ARN not set")
  end
  return {
    RoleArn = role,
    RoleSessionName = declared.role_session_name or
      variable.text "ALIBABA_CLOUD_ROLE_SESSION_NAME" or ("cr-%d"):format(math.floor(ask.time)),
    DurationSeconds = ("%d"):format(declared.role_session_expiration or DURATION),
    Policy = declared.policy,
  }
end

--- The session in an answer of the service.
-- @return credential
-- @return nil, error, the service's own error if it said no
function sts.session(request, response, role)
  local object, err, reason = remote.read(request, response)
  if not object then
    return nil, err, reason
  end
  local session
  session, err = remote.session(request.what, object.Credentials)
  if session then
    session.origin = "role " .. role
  end
  return session, err
end

return sts
