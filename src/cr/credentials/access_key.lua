--- A fixed access key: {type = "access_key", access_key_id = …, access_key_secret = …}.

return function(declared)
  local credential = {
    access_key_id = declared.access_key_id,
    access_key_secret = declared.access_key_secret,
  }
  return {
    name = "access_key",
    get = function()
      return credential
    end,
  }
end
