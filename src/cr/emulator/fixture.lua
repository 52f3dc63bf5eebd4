--- What the emulator keeps when it is told nothing else: the sample of the API's documentation,
-- enough around it to page through, one key for each thing that a key can be, and roles to become.
--
-- The shape is that of a user's `--fixture` file; docs/emulator.md describes it. The secrets are
-- fakes and work nowhere but here.

return {
  region = "cn-hangzhou",
  account = "1000000000000001",

  -- The first user's key is the one that the emulator prints at its start.
  users = {
    {
      name = "full",
      access_key_id = "LTAI5tEmulatorFull",
      access_key_secret = "EmulatorSecretFull-not-a-real-one",
    },
    {
      name = "session",
      access_key_id = "STS.NTEmulatorSession",
      access_key_secret = "EmulatorSecretSession-not-a-real-one",
      security_token = "EmulatorSecurityToken-not-a-real-one",
    },
    {
      name = "expired",
      access_key_id = "STS.NTEmulatorExpired",
      access_key_secret = "EmulatorSecretExpired-not-a-real-one",
      security_token = "EmulatorSecurityTokenExpired-not-a-real-one",
      expiration = "2020-01-01T00:00:00Z",
    },
    {
      -- Lacks cr:ListRepositoryTag, which GetRepoTag and ListRepoTag need.
      name = "limited",
      access_key_id = "LTAI5tEmulatorLimited",
      access_key_secret = "EmulatorSecretLimited-not-a-real-one",
      allow = { "cr:Get*", "cr:ListInstance", "cr:ListNamespace", "cr:ListRepository" },
    },
  },

  roles = {
    {
      name = "reader",
      policies = {
        Version = "1",
        Statement = {
          { Effect = "Allow", Action = { "cr:Get*", "cr:List*" }, Resource = "*" },
          {
            Effect = "Allow",
            Action = "sts:AssumeRole",
            Resource = "acs:ram::*:role/chained",
          },
        },
      },
    },
    {
      -- As the user of that name.
      name = "limited",
      allow = { "cr:Get*", "cr:ListInstance", "cr:ListNamespace", "cr:ListRepository" },
    },
    { name = "node" },
    { name = "chained", trusted = { "reader" } },
  },

  oidc_providers = {
    {
      arn = "acs:ram::1000000000000001:oidc-provider/emulator",
      tokens = {
        { token = "emulator-oidc-token-1", subject = "pod-1" },
        { token = "emulator-oidc-token-2", subject = "pod-2" },
        { token = "emulator-oidc-token-expired", subject = "pod-1", expired = true },
      },
    },
  },

  metadata = { role = "node", session_seconds = 21600 },
  credentials_uri = { role = "reader" },
  cloud_sso = {
    access_token = "emulator-sso-access-token",
    account_id = "1000000000000001",
    access_configuration_id = "ac-emulator",
    role = "reader",
  },

  instances = {
    {
      InstanceId = "cri-kmsiwlxxdcva****",
      InstanceName = "emulator",
      namespaces = {
        {
          NamespaceName = "sample",
          repositories = {
            {
              RepoId = "crr-tquyps22md8p****",
              RepoName = "app",
              Summary = "the repository of the documentation's sample",
              tags = {
                {
                  Tag = "1.0",
                  Status = "NORMAL",
                  ImageCreate = 1572839125000,
                  ImageUpdate = 1572875608000,
                  ImageSize = 27107966,
                  Digest = "67bfbcc12b67936ec7f867927817cbb071832b873dbcaed312a1930ba5f1****",
                  ImageId = "45023655bf39c382e26a8607d057c27871dee163c1ecf48cc1ebf2a1****",
                },
                {
                  Tag = "0.9",
                  ImageCreate = 1569888000000,
                  ImageSize = 26214400,
                  vulnerabilities = { high = 1, medium = 2, low = 4, unknown = 3 },
                },
                { Tag = "0.8", ImageCreate = 1567296000000, Status = "DELETING" },
                {
                  Tag = "latest",
                  ImageCreate = 1572839125000,
                  ImageSize = 27107966,
                  scans = { "SCANNING", "COMPLETE" },
                },
              },
            },
            {
              RepoId = "crr-emulatorbuilds01",
              RepoName = "builds",
              Summary = "enough tags to page through",
              generate = { count = 250, prefix = "build-" },
            },
            { RepoId = "crr-emulatorempty001", RepoName = "empty", Summary = "no tags" },
          },
        },
        { NamespaceName = "team", AutoCreateRepo = true, DefaultRepoType = "PUBLIC" },
      },
    },
    { InstanceId = "cri-emulatorempty001", InstanceName = "empty" },
  },
}
