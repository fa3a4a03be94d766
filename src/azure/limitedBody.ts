/** Reads the decompressed body of a response up to a limit: a small response can decompress to any size. */

/** The error of a body over the limit. */
class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
  readonly code = 'BODY_TOO_LARGE';
}

/**
 * Text in UTF-8. @throws BodyTooLarge at the first chunk past the limit, with the connection closed; errors of the
 * stream
 */
export async function limitedBody(stream: NodeJS.ReadableStream, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.byteLength;
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > maxBytes) throw new BodyTooLarge(`A response body is longer than ${maxBytes} bytes.`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
