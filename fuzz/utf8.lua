--- A JSON string is what lua-cjson reads back as the text, in ASCII without control characters.

local cjson = require "cjson"

return function(json, text)
  assert(not json:find("[%z\1-\31]"), "a control character stands in JSON")
  assert(cjson.decode("[" .. json .. "]")[1] == text, "reads back as something else")
end
