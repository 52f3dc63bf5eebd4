--- Subject of "call": client:get_repo_tag as a user writes it, on a kept-alive connection, with a
-- static access key and signature V3.
--
--     call.lua ENDPOINT [CA_FILE]   serves rounds
--     call.lua ENDPOINT --request   prints the request it would send: method, URL, headers

local cr = require "cr"
local sample = require "bench.sample"

local endpoint, ca_file = arg[1], arg[2]

if ca_file == "--request" then
  local request = sample.request(endpoint)
  print(request.method)
  print(request.url)
  for name, value in pairs(request.headers) do
    print(name .. ": " .. value)
  end
  return
end

local client = cr.new {
  endpoint = endpoint, credentials = sample.credentials, ca_file = ca_file ~= "" and ca_file or nil,
}

require "bench.rounds" {
  call = function(count)
    for _ = 1, count do
      local tag = assert(client:get_repo_tag {
        InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0",
      })
      assert(tag.ImageSize == 27107966)
    end
  end,
}
