--- What all benchmarks call: GetRepoTag with the parameters of the documented sample.

local cr = require "cr"

local sample = {}

sample.credentials = {
  type = "access_key",
  access_key_id = "LTAI5tBenchmarkBenchmark",
  access_key_secret = "BenchmarkBenchmarkBenchmark123",
}

--- The same credential for programs.
sample.environment = {
  ALIBABA_CLOUD_ACCESS_KEY_ID = sample.credentials.access_key_id,
  ALIBABA_CLOUD_ACCESS_KEY_SECRET = sample.credentials.access_key_secret,
}

sample.parameters = {
  InstanceId = "cri-kmsiwlxxdcva****",
  RepoId = "crr-tquyps22md8p****",
  Tag = "1.0",
}

--- The signed request as a transport gets it: {method, url, headers, …}.
function sample.request(endpoint)
  local sent
  local client = cr.new {
    endpoint = endpoint, credentials = sample.credentials, max_attempts = 1,
    transport = {
      exchange = function(request)
        sent = request
        return nil, { code = "NotSent", message = "only looked at", sent = false }
      end,
    },
  }
  client:get_repo_tag(sample.parameters)
  return assert(sent, "the client sent nothing")
end

return sample
