--- A new table with the fields of both; those of `given` win.
return function(base, given)
  local merged = {}
  for key, value in pairs(base) do
    merged[key] = value
  end
  for key, value in pairs(given) do
    merged[key] = value
  end
  return merged
end
