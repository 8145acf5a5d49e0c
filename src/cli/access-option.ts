import { InvalidArgumentError } from 'commander'
import { type AccessEntry, accessSchema } from '../protocol/access.ts'

/** Reads one `--access "RESOURCE SCOPE…"`; may be given several times. */
export function collectAccess(text: string, earlier: readonly AccessEntry[] = []): readonly AccessEntry[] {
  const [resource = '', ...scopes] = text.trim().split(/\s+/)
  const access = accessSchema.safeParse([...earlier, { resource, scope: scopes.join(' ') }])
  if (access.success) return access.data
  throw new InvalidArgumentError('Write it as "https://api.example.test read write", each resource once.')
}
