/** What to do about a code, where the server's sentence cannot know it because it does not know this command line. */
const NEXT: Readonly<Record<string, string>> = {
  unreachable: 'Start the server with "npm start", or give its address with --url; "remit doctor" says more.',
  invalid_client: 'Check the client id and its key or secret; a profile belongs to one server and one database.',
  unauthorized_client: 'An administrator gives the client this grant and access with "remit client create".',
  invalid_token: 'Check that this machine and the server have the same time, then run the command again.',
  insufficient_scope: 'Use the profile of an administrator who has this scope.',
  invalid_scope:
    'Ask for scopes that the resource, the client and the agent all have: "remit agent show" lists those that "remit agent create --access" gave the agent itself; under a delegation for no more than that gives.',
  invalid_target:
    'Name a resource that is registered ("remit resource list"), in the access of the client ("remit client show"), and in the grant of the agent itself ("remit agent show"), which "remit agent create --access" gives it.',
  unknown_agent:
    'Register the agent with "remit agent create", or, where it was revoked, take another agent_id; where an administrator suspended it ("remit agent show"), another one lets it go on with "remit agent resume".',
  agent_checksum_mismatch:
    'Register these components with "remit agent create"; where that version is pending, an administrator approves it.',
  agent_key_mismatch:
    'Sign with a key that was registered for this agent: --key FILE; one without a key, or another key, gets it by "remit agent key add".',
  invalid_dpop_proof: 'Give the key of the agent with --key FILE, and check the clock of this machine.',
  duplicate_agent:
    'Same content: nothing was changed, --access, --key and --generate-key neither. Other access: retire the version, then register again. Another key: "remit agent key add".',
  workflow_required: 'Name the step with --workflow and --step.',
  temporarily_unavailable: 'Try again in some seconds; "remit doctor" on the host of the server says what is wrong.',
}

export function nextStep(code: string): string | undefined {
  return NEXT[code]
}
