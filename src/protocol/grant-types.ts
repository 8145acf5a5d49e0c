/** RFC 6749 section 4.4. */
export const CLIENT_CREDENTIALS_GRANT = 'client_credentials'
/** The agent grant in both spellings of draft-goswami-agentic-jwt-00 (protocol.md section 3). */
export const AGENT_GRANT = 'urn:ietf:params:oauth:grant-type:agent_checksum'
export const AGENT_GRANT_SHORT = 'agent_checksum'

/** RFC 8693 section 2.1. */
export const TOKEN_EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'

export type GrantType = typeof CLIENT_CREDENTIALS_GRANT | typeof AGENT_GRANT | typeof TOKEN_EXCHANGE_GRANT

/** What a user's token of another issuer is where nothing else is said of it (RFC 8693 section 3). */
export const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
