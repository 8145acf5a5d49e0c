import { type Command, Option } from 'commander'
import { z } from 'zod'
import { accessSchema } from '../protocol/access.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { collectAccess } from './access-option.ts'
import { addVersionOptions, versionOptions } from './agent-components.ts'
import { addCredentialOptions, addForeignTokenOption } from './credential.ts'

/** Of `addRegistrationOptions`. */
export const registrationOptions = versionOptions.extend({
  client: z.string(),
  app: z.string().optional(),
  generateKey: z.string().optional(),
  key: z.string().optional(),
  access: accessSchema.optional(),
  outsideWorkflow: z.boolean().default(false),
})
export type RegistrationOptions = z.output<typeof registrationOptions>

/** What `create` and `preview` take alike, so that a preview judges the registration that is sent afterwards. */
export function addRegistrationOptions(command: Command, generateKey: string): Command {
  return addVersionOptions(addForeignTokenOption(addCredentialOptions(command)))
    .option('--app <client>', 'the client whose agent it is, where --client registers for it (registers_for)')
    .addOption(new Option('--generate-key <file>', generateKey).conflicts('key'))
    .option('--key <file>', 'register the public half of this private JWK')
    .option('--access <pair>', 'what the agent may ask for, "RESOURCE SCOPE…"; several times', collectAccess)
    .option('--outside-workflow', 'let it ask without a workflow while one assigns it a step')
}

/** The client whose agent it is. */
export function appOf({ app, client }: RegistrationOptions): string {
  return app ?? client
}

/** Body of a registration, and of its preview. */
export function registrationBody(agent_components: unknown, options: RegistrationOptions, holder?: HolderKey): object {
  const { access, outsideWorkflow, drain, checksumProfile } = options
  return {
    app_id: appOf(options),
    agent_components,
    ...(checksumProfile !== 'jcs' && { checksum_profile: checksumProfile }),
    ...(drain !== undefined && { drain_seconds: drain }),
    ...(access && { grant: { access, outside_workflow: outsideWorkflow } }),
    ...(holder && { public_key: holder.publicJwk }),
  }
}
