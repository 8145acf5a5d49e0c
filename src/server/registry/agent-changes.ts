import type { Access } from '../../protocol/access.ts'
import { canonicalJson } from '../../protocol/jcs.ts'

type Grant = { readonly access: Access; readonly outside_workflow: boolean }
type Keys = readonly { readonly jkt: string }[]
type Change = {
  readonly grant?: { readonly before: Grant; readonly after: Grant }
  readonly keys_added?: readonly string[]
  readonly keys_removed?: readonly string[]
}

/** What an act changed of an agent's grant, for the audit: nothing where it is as it was. */
export function grantChange(held: Grant, next: Grant | null | undefined): Change {
  if (!next) return {}
  const [before, after] = [grantOf(held), grantOf(next)]
  return canonicalJson(before) === canonicalJson(after) ? {} : { grant: { before, after } }
}

/** What an act changed of an agent's registered keys, for the audit: thumbprints, none where nothing changed. */
export function keyChange(held: Keys, { added = [], kept = held }: { added?: Keys; kept?: Keys }): Change {
  const keys_added = without(added, held)
  const keys_removed = without(held, kept)
  return {
    ...(keys_added.length > 0 && { keys_added }),
    ...(keys_removed.length > 0 && { keys_removed }),
  }
}

function without(keys: Keys, others: Keys): readonly string[] {
  const known = new Set(others.map(key => key.jkt))
  return keys.flatMap(({ jkt }) => (known.has(jkt) ? [] : [jkt])).sort()
}

function grantOf({ access, outside_workflow }: Grant): Grant {
  return { access, outside_workflow }
}
