--- A fixed session: {type = "sts", access_key_id =, access_key_secret =, security_token =}.
-- Nothing refreshes it; when it has expired the service says so.

return {
  keys = { "access_key_id", "access_key_secret", "security_token" },

  new = function(declared)
    local credential = {
      access_key_id = declared.access_key_id,
      access_key_secret = declared.access_key_secret,
      security_token = declared.security_token,
      origin = "a session given to the client",
    }
    return {
      get = function()
        return credential
      end,
    }
  end,
}
