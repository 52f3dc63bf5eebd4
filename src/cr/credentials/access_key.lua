--- A fixed access key: {type = "access_key", access_key_id = …, access_key_secret = …}.

return {
  keys = { "access_key_id", "access_key_secret" },

  new = function(declared)
    local credential = {
      access_key_id = declared.access_key_id,
      access_key_secret = declared.access_key_secret,
      origin = "an access key given to the client",
    }
    return {
      get = function()
        return credential
      end,
    }
  end,
}
