const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * The two halves of HTTP Basic, each form-decoded (RFC 6749 section 2.3.1, RFC 7617). Undefined for anything that is
 * not exactly that: no colon, not base64, not UTF-8, a control character, a stray percent sign.
 */
export function basicCredentials(value: string): { client_id: string; client_secret: string } | undefined {
  if (value.length > 2048 || !BASE64.test(value)) return undefined
  const text = decodeUtf8(Buffer.from(value, 'base64'))
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 1) return undefined
  const client_id = formDecode(text.slice(0, colon))
  const client_secret = formDecode(text.slice(colon + 1))
  return client_id && client_secret ? { client_id, client_secret } : undefined
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused (RFC 7617 section 2).
    return /[\u0000-\u001f\u007f]/.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
