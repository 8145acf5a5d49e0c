import { existsSync } from 'node:fs'
import { z } from 'zod'
import { CliFailure } from './failure.ts'
import { readObject } from './files.ts'
import type { Session } from './session.ts'

const profileSchema = z.strictObject({
  issuer: z.string(),
  admin_url: z.string(),
  client_id: z.string(),
  private_jwk: z.record(z.string(), z.json()),
})
/** What `remit init` wrote: an administrator's client and its key. */
export type Profile = z.output<typeof profileSchema>

/** Reads the profile. Throws CliFailure. */
export async function readProfile({ profileFile }: Session): Promise<Profile> {
  if (!existsSync(profileFile)) {
    throw new CliFailure('no_profile', `There is no profile at ${profileFile}.`, {
      next: 'Run "remit init" once, or name the profile with --profile FILE.',
    })
  }
  const profile = profileSchema.safeParse(await readObject(profileFile))
  if (profile.success) return profile.data
  throw new CliFailure('profile_malformed', `The file ${profileFile} is not a profile of "remit init".`, {
    next: 'Name another with --profile FILE.',
  })
}

/** The issuer that commands talk to when they do not administrate. */
export async function issuerOf(session: Session): Promise<string> {
  if (session.url !== undefined) return session.url
  return existsSync(session.profileFile) ? (await readProfile(session)).issuer : session.localServer().issuer
}
