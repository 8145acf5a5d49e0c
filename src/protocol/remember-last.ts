/** Keeps a value under its name, used last; beyond `max` the one that was used longest ago is forgotten. */
export function rememberLast<Name, Value>(known: Map<Name, Value>, name: Name, value: Value, max: number): void {
  known.delete(name)
  known.set(name, value)
  const { value: oldest, done } = known.keys().next()
  if (known.size > max && !done) known.delete(oldest)
}
