--- A RAM role for a workload with an OIDC token: RRSA in a Kubernetes cluster (STS
-- AssumeRoleWithOIDC).
--
-- {type = "oidc_role_arn", role_arn =, oidc_provider_arn =, oidc_token_file_path =, …}; what is not
-- given comes from ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN and
-- ALIBABA_CLOUD_OIDC_TOKEN_FILE. The cluster rotates the token, so its file is read anew at every
-- refresh. The request is not signed: the token is the proof.

local check = require "cr.credentials.check"
local core = require "cr.core"
local file = require "cr.credentials.file"
local hint = require "cr.hint"
local overlay = require "cr.overlay"
local percent = require "cr.percent"
local remote = require "cr.credentials.remote"
local secret = require "cr.secret"
local sts = require "cr.credentials.security_token_service"
local trim = require "cr.trim"
local unavailable = require "cr.credentials.unavailable"
local variable = require "cr.credentials.variable"

local PROVIDER_ARN = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
local TOKEN_FILE = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"

local MAX_TOKEN = 20000 -- bytes, the service's own limit

local OPERATION = { name = "AssumeRoleWithOIDC" }

local function read_token(declared)
  local path = declared.oidc_token_file_path or variable.text(TOKEN_FILE)
  if not path then
    return nil, unavailable("no token: oidc_token_file_path is not given, and " .. TOKEN_FILE ..
      " not set")
  end
  local text, reason = file.read(path, MAX_TOKEN)
  if not text then
    return nil, unavailable(("OIDC token file %s: %s"):format(path, reason))
  end
  local token = trim(text)
  if token == "" or token:find("[%c ]") then
    return nil, unavailable(("OIDC token file %s %s"):format(path, token == "" and "is empty" or
      "holds no token: there is a blank or a control character in it"))
  end
  return token
end

local function prepare(ask, declared)
  local parameters, err = sts.parameters(ask, declared)
  if not parameters then
    return nil, err
  end
  parameters.OIDCProviderArn = declared.oidc_provider_arn or variable.text(PROVIDER_ARN)
  if not parameters.OIDCProviderArn then
    return nil, unavailable("no provider: oidc_provider_arn is not given, and " .. PROVIDER_ARN ..
      " not set")
  end
  parameters.OIDCToken, err = read_token(declared)
  return parameters.OIDCToken and parameters, err
end

--- What to do about the one thing that needs a permission here: nobody signs.
local function distrust(reason, response, secrets)
  if not reason.access_denied then
    return "the role must trust the OIDC provider"
  end
  return secret.mask(hint.for_service(reason, { operation = OPERATION }, response, reason.message),
    secret.forms(secrets))
end

local function fetch(ask, declared)
  local parameters, err = prepare(ask, declared)
  local endpoint = parameters
  if parameters then
    endpoint, err = sts.endpoint(ask, declared)
  end
  if not endpoint then
    return nil, err
  end
  local request = remote.limit({
    what = "AssumeRoleWithOIDC at " .. endpoint.host, method = "POST", endpoint = endpoint,
    url = endpoint.origin .. "/?" .. percent.form {
      Action = OPERATION.name, Format = "JSON", Version = sts.VERSION,
      Timestamp = core.iso8601(ask.time),
    },
    headers = {
      host = endpoint.host, accept = "application/json", ["user-agent"] = ask.settings.user_agent,
      ["content-type"] = "application/x-www-form-urlencoded",
    },
    body = percent.form(parameters), secrets = { parameters.OIDCToken },
  }, declared)
  local response
  response, err = remote.send(ask, request)
  if not response then
    return nil, err
  end
  local session, reason
  session, err, reason = sts.session(request, response, parameters.RoleArn)
  if reason and reason.code == "NoPermission" then
    err.hint = distrust(reason, response, request.secrets)
  end
  return session, err
end

return {
  fields = overlay(sts.fields, {
    oidc_provider_arn = check.line,
    oidc_token_file_path = check.line,
  }),

  fetch = fetch,
}
